; What RosterBridge's setup does beside Tauri's own steps, which call these macros by their names.
;
; An upgrade keeps everything. Uninstalling takes the tasks and services of 'rosterbridge service install' away, and
; keeps the data unless a person ticks Tauri's box for it and then confirms; a silent one always keeps it.

; 1 when the uninstaller only makes room for another version.
Var MakesRoom

; Ends the window first: the practice district is its child.
!macro EndRosterBridge
  !insertmacro CheckIfAppIsRunning "$INSTDIR\${MAINBINARYNAME}.exe" "${PRODUCTNAME}"
  !insertmacro CheckIfAppIsRunning "$INSTDIR\rosterbridge.exe" "${PRODUCTNAME}"
!macroend

; A service's process ends here; its task starts it again within five minutes, in the new version, and Windows one that is a
; service within one.
!macro NSIS_HOOK_PREINSTALL
  !insertmacro EndRosterBridge
!macroend

!macro NSIS_HOOK_PREUNINSTALL
  ; The setup of another version starts this one in place and with its window; Windows itself starts a copy elsewhere.
  StrCpy $MakesRoom 0
  ${If} $UpdateMode = 1
    StrCpy $MakesRoom 1
  ${ElseIf} $EXEDIR == $INSTDIR
  ${AndIfNot} ${Silent}
    StrCpy $MakesRoom 1
  ${EndIf}

  ${If} $MakesRoom <> 1
    !insertmacro RemoveTasks
  ${EndIf}
  !insertmacro EndRosterBridge
  ${If} $DeleteAppDataCheckboxState = 1
  ${AndIf} $MakesRoom <> 1
    !insertmacro EraseDistricts
  ${EndIf}
!macroend

; Puts one of two sentences into $5.
!macro InTheirLanguage english spanish
  StrCpy $5 "${english}"
  ${If} $LANGUAGE = ${LANG_SPANISH}
    StrCpy $5 "${spanish}"
  ${EndIf}
!macroend

; Takes away the tasks and services that start this very program, for every account where this account may, and this account's entries
; for starting further districts' windows at login: Tauri knows of the first one only.
!macro RemoveTasks
  ; By a variable, so that no character of the path is read as a part of the command.
  System::Call 'kernel32::SetEnvironmentVariable(t "ROSTERBRIDGE_PROGRAM", t "$INSTDIR\rosterbridge.exe")'
  StrCpy $0 "$SYSDIR"
  ${If} ${RunningX64}
    ; This program has 32 bits, and would be given PowerShell with 32.
    StrCpy $0 "$WINDIR\Sysnative"
  ${EndIf}
  ; Together no more than the 1,023 characters of a string of NSIS's.
  nsExec::ExecToLog `"$0\WindowsPowerShell\v1.0\powershell.exe" -NoProfile -NonInteractive -Command "\
$$own = { Get-ScheduledTask -TaskPath '\RosterBridge\' -EA SilentlyContinue | Where-Object { $$_.Actions.Execute -eq $$env:ROSTERBRIDGE_PROGRAM } };\
& $$own | Unregister-ScheduledTask -Confirm:$$false -EA SilentlyContinue;\
$$svc = { Get-CimInstance Win32_Service -Filter 'Name like ''RosterBridge-%''' | Where-Object { $$_.PathName.Replace([string][char]34, '').StartsWith($$env:ROSTERBRIDGE_PROGRAM + ' ', 'OrdinalIgnoreCase') } };\
& $$svc | ForEach-Object { Stop-Service $$_.Name -EA SilentlyContinue; sc.exe delete $$_.Name };\
$$run = 'HKCU:\Software\Microsoft\Windows\CurrentVersion\Run';\
(Get-Item $$run).Property | Where-Object { $$_ -like 'RosterBridge (*' } | ForEach-Object { Remove-ItemProperty $$run $$_ };\
if ((& $$own) -or (& $$svc)) { exit 1 }"`
  Pop $0
  ${If} $0 != 0
    !insertmacro InTheirLanguage \
      "A task or a service of RosterBridge could not be removed. Ask an administrator of this computer to delete it: the task in the Task Scheduler, in the folder RosterBridge, the service with 'sc delete' and its name." \
      "No se pudo quitar una tarea o un servicio de RosterBridge. Pida a un administrador de este equipo que lo elimine: la tarea en el Programador de tareas, en la carpeta RosterBridge; el servicio con 'sc delete' y su nombre."
    DetailPrint "$5"
    MessageBox MB_ICONEXCLAMATION "$5" /SD IDOK
  ${EndIf}
!macroend

; Erases every district of this account as 'rosterbridge erase' does, with its secrets in Credential Manager. Where that is
; refused, nothing else is deleted. Data in a folder somebody named with --home is not looked for.
!macro EraseDistricts
  !insertmacro InTheirLanguage \
    "Erase all districts of this account?$\n$\nTheir settings, secrets, backups and the record of what was written to PowerSchool are deleted. This can't be undone. With No they stay, and RosterBridge is uninstalled all the same." \
    "¿Borrar todos los distritos de esta cuenta?$\n$\nSe eliminan su configuración, sus secretos, sus copias de seguridad y el registro de lo que se escribió en PowerSchool. No se puede deshacer. Con No se conservan, y RosterBridge se desinstala igualmente."
  MessageBox MB_YESNO|MB_ICONEXCLAMATION|MB_DEFBUTTON2 "$5" /SD IDNO IDNO districts_stay
  ReadEnvStr $0 LOCALAPPDATA
  StrCpy $0 "$0\RosterBridge\data"
  StrCpy $3 0
  FindFirst $1 $2 "$0\profiles\*.*"
  ${DoWhile} $2 != ""
    ${If} $2 != "."
    ${AndIf} $2 != ".."
      nsExec::ExecToLog '"$INSTDIR\rosterbridge.exe" --home "$0" --profile "$2" erase --confirm "$2"'
      Pop $4
      ${If} $4 != 0
        StrCpy $3 1
      ${EndIf}
    ${EndIf}
    FindNext $1 $2
  ${Loop}
  FindClose $1
  ${If} $3 = 0
    RMDir /r "$0"
  ${Else}
    !insertmacro InTheirLanguage \
      "Not every district could be erased. What is left is in $0." \
      "No se pudieron borrar todos los distritos. Lo que queda está en $0."
    DetailPrint "$5"
    MessageBox MB_ICONEXCLAMATION "$5" /SD IDOK
  ${EndIf}
  districts_stay:
!macroend
